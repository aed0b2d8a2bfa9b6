locals {
  stages   = toset(["ingest", "analyze", "correlate", "classify", "recommend", "drift"])
  shipping = "${var.namespace}-shipping"

  # Fluent Bit has a namespace of its own, since it must read the nodes' files.
  homes = { for user in keys(var.kafka_secrets) : user => user == "fluent-bit" ? local.shipping : var.namespace }
}

resource "kubernetes_namespace_v1" "this" {
  for_each = { (var.namespace) = "restricted", (local.shipping) = "privileged" }

  metadata {
    name   = each.key
    labels = { "pod-security.kubernetes.io/enforce" = each.value }
  }
}

# From Secrets Manager to the cluster without a stop in Terraform's state.
ephemeral "aws_secretsmanager_secret_version" "kafka" {
  for_each = var.kafka_secrets

  secret_id = each.value
}

resource "kubernetes_secret_v1" "kafka" {
  for_each = local.homes

  metadata {
    name      = "kafka-${each.key}"
    namespace = kubernetes_namespace_v1.this[each.value].metadata[0].name
  }

  data_wo          = jsondecode(ephemeral.aws_secretsmanager_secret_version.kafka[each.key].secret_string)
  data_wo_revision = var.password_version
}

resource "kubernetes_storage_class_v1" "gp3" {
  metadata {
    name = "opspilot-gp3"
  }

  storage_provisioner    = "ebs.csi.aws.com"
  volume_binding_mode    = "WaitForFirstConsumer"
  allow_volume_expansion = true
  parameters             = { type = "gp3", encrypted = "true" }
}

resource "helm_release" "opspilot" {
  name      = "opspilot"
  chart     = "${path.module}/../../helm/opspilot"
  namespace = kubernetes_namespace_v1.this[var.namespace].metadata[0].name
  timeout   = 1800

  values = concat([yamlencode({
    image = { repository = var.image_repository, tag = var.image_tag }
    kafka = {
      bootstrap        = var.kafka_bootstrap
      securityProtocol = "SASL_SSL"
      sasl             = { mechanism = "SCRAM-SHA-512", secretName = "kafka-topics" }
    }
    topics = { replication = var.replication }
    stages = { for stage in local.stages : stage => { saslSecretName = "kafka-${stage}" } }
    model  = { kind = var.model }
    tgi = {
      nodeSelector = { "opspilot/gpu" = "true" }
      volume       = { storageClass = kubernetes_storage_class_v1.gp3.metadata[0].name }
    }
    local = {
      image  = { repository = var.model_image_repository, tag = var.image_tag }
      volume = { storageClass = kubernetes_storage_class_v1.gp3.metadata[0].name }
    }
    # On the node of its model, if any, whose volume only one node can mount.
    trainer = {
      enabled                   = var.trainer
      image                     = { repository = var.trainer_image_repository, tag = var.image_tag }
      registry                  = "s3://${var.adapters_bucket}/adapters"
      saslSecretName            = "kafka-trainer"
      gpus                      = var.model == "tgi" ? 1 : 0
      nodeSelector              = var.model == "tgi" ? { "opspilot/gpu" = "true" } : {}
      serviceAccountAnnotations = { "eks.amazonaws.com/role-arn" = var.roles["trainer"] }
      volume                    = { storageClass = kubernetes_storage_class_v1.gp3.metadata[0].name }
    }
    fluentBit = {
      enabled        = true
      namespace      = local.shipping
      saslSecretName = "kafka-fluent-bit"
    }
  })], var.values)

  depends_on = [kubernetes_secret_v1.kafka]
}
