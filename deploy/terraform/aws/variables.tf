variable "name" {
  description = "What everything is called: the cluster, the Kafka, the bucket's beginning."
  type        = string
  default     = "opspilot"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "Use 3 to 30 small letters, digits and hyphens, a letter first."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "tags" {
  description = "Further tags on everything."
  type        = map(string)
  default     = {}
}

variable "cidr" {
  description = "Address range of the network; a /16 is cut into /20 subnets."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 15))
    error_message = "Give a range that can be cut in sixteen, such as 10.40.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones; Kafka has one broker in each, or a multiple of that."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "Use 2 or 3 zones."
  }
}

variable "nat_per_zone" {
  description = "One NAT gateway per zone; false: one in all, cheaper, and lost with its zone."
  type        = bool
  default     = false
}

variable "kubernetes_version" {
  description = "Version of EKS."
  type        = string
  default     = "1.33"
}

variable "api_cidrs" {
  description = "From where the cluster's public API may be reached; empty: from inside the network only."
  type        = list(string)
  default     = []
}

variable "cpu_nodes" {
  description = "Nodes for the stages."
  type = object({
    instance_types = optional(list(string), ["m7i.large"])
    min            = optional(number, 2)
    desired        = optional(number, 3)
    max            = optional(number, 8)
    disk_gib       = optional(number, 50)
  })
  default = {}
}

variable "gpu_nodes" {
  description = "Nodes for the model and its trainer, which share one; with max 0 there is no GPU group, and the baseline judges."
  type = object({
    instance_types = optional(list(string), ["g6.xlarge"])
    min            = optional(number, 0)
    desired        = optional(number, 1)
    max            = optional(number, 1)
    disk_gib       = optional(number, 120)
    spot           = optional(bool, false)
  })
  default = {}
}

variable "kafka" {
  description = "Brokers of MSK."
  type = object({
    version          = optional(string, "3.9.x.kraft")
    instance_type    = optional(string, "kafka.m7g.large")
    brokers_per_zone = optional(number, 1)
    disk_gib         = optional(number, 200)
    max_disk_gib     = optional(number, 1000)
  })
  default = {}
}

variable "kafka_users" {
  description = "SCRAM users: one per stage and for the trainer, as `opspilot topics create --acls` names them, and who ships and creates."
  type        = set(string)
  default     = ["ingest", "analyze", "correlate", "classify", "recommend", "drift", "trainer", "topics", "fluent-bit"]
}

variable "password_version" {
  description = "Raise it to give every Kafka user a new password."
  type        = number
  default     = 1
}

variable "namespace" {
  description = "Kubernetes namespace that the chart is installed in."
  type        = string
  default     = "opspilot"
}

variable "log_retention_days" {
  description = "How long logs of the cluster's and Kafka's own are kept."
  type        = number
  default     = 30
}
