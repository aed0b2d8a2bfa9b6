variable "region" {
  description = "AWS region."
  type        = string
}

variable "cluster_name" {
  description = "Output cluster_name of ../aws."
  type        = string
}

variable "kafka_bootstrap" {
  description = "Output kafka_bootstrap of ../aws."
  type        = string
}

variable "kafka_secrets" {
  description = "Output kafka_secrets of ../aws."
  type        = map(string)
}

variable "roles" {
  description = "Output roles of ../aws."
  type        = map(string)
}

variable "adapters_bucket" {
  description = "Output adapters_bucket of ../aws."
  type        = string
}

variable "password_version" {
  description = "As in ../aws: raise both to hand on new passwords."
  type        = number
  default     = 1
}

variable "namespace" {
  description = "As in ../aws."
  type        = string
  default     = "opspilot"
}

variable "image_repository" {
  description = "Where the image of the release is, without its tag."
  type        = string
}

variable "model_image_repository" {
  description = "Where the image of the small model is, without its tag; for model = local."
  type        = string
  default     = "opspilot/model"
}

variable "trainer_image_repository" {
  description = "Where the image of the trainer is, without its tag; for trainer = true."
  type        = string
  default     = "opspilot/trainer"
}

variable "image_tag" {
  description = "Tag of the image."
  type        = string
}

variable "model" {
  description = "baseline, tgi or local."
  type        = string
  default     = "tgi"

  validation {
    condition     = contains(["baseline", "tgi", "local"], var.model)
    error_message = "Use baseline, tgi or local."
  }
}

variable "trainer" {
  description = "Whether what judges is trained here. With model = tgi its node needs two GPUs: see gpu_nodes of ../aws."
  type        = bool
  default     = false
}

variable "replication" {
  description = "Replicas of each partition: the zones of ../aws."
  type        = number
  default     = 3
}

variable "values" {
  description = "Further values of the chart, as YAML documents; the last one wins."
  type        = list(string)
  default     = []
}
