"""Fine-tuning by LoRA: the only package that imports torch, transformers and peft."""
