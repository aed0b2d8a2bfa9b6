"""Analysis of one service: slots that close by watermark, what is usual, what is not."""
