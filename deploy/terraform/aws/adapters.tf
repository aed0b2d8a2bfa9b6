# Adapters, which the trainer keeps here and reads again. A released one is never overwritten.
resource "aws_s3_bucket" "adapters" {
  bucket_prefix = "${var.name}-adapters-"
}

resource "aws_s3_bucket_versioning" "adapters" {
  bucket = aws_s3_bucket.adapters.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "adapters" {
  bucket = aws_s3_bucket.adapters.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "adapters" {
  bucket                  = aws_s3_bucket.adapters.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "adapters" {
  bucket = aws_s3_bucket.adapters.id

  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [aws_s3_bucket_versioning.adapters]
}

data "aws_iam_policy_document" "adapters_tls" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.adapters.arn, "${aws_s3_bucket.adapters.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "adapters" {
  bucket     = aws_s3_bucket.adapters.id
  policy     = data.aws_iam_policy_document.adapters_tls.json
  depends_on = [aws_s3_bucket_public_access_block.adapters]
}
