resource "aws_security_group" "kafka" {
  name        = "${var.name}-kafka"
  description = "Kafka's brokers"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "kafka_scram" {
  security_group_id            = aws_security_group.kafka.id
  referenced_security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  description                  = "SCRAM over TLS, from the cluster's nodes"
  ip_protocol                  = "tcp"
  from_port                    = 9096
  to_port                      = 9096
}

resource "aws_vpc_security_group_ingress_rule" "kafka_metrics" {
  security_group_id            = aws_security_group.kafka.id
  referenced_security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  description                  = "Prometheus, from the cluster's nodes"
  ip_protocol                  = "tcp"
  from_port                    = 11001
  to_port                      = 11002
}

resource "aws_cloudwatch_log_group" "kafka" {
  name              = "/aws/msk/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_msk_configuration" "this" {
  name           = var.name
  kafka_versions = [var.kafka.version]

  # Topics are made by `opspilot topics create` alone, each with its own settings.
  server_properties = <<-EOT
    auto.create.topics.enable=false
    default.replication.factor=${var.zones}
    min.insync.replicas=${max(1, var.zones - 1)}
    unclean.leader.election.enable=false
    message.max.bytes=8388608
    replica.fetch.max.bytes=8388608
    allow.everyone.if.no.acl.found=true
  EOT

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_msk_cluster" "this" {
  cluster_name           = var.name
  kafka_version          = var.kafka.version
  number_of_broker_nodes = var.zones * var.kafka.brokers_per_zone
  enhanced_monitoring    = "PER_BROKER"

  configuration_info {
    arn      = aws_msk_configuration.this.arn
    revision = aws_msk_configuration.this.latest_revision
  }

  broker_node_group_info {
    instance_type   = var.kafka.instance_type
    client_subnets  = aws_subnet.private[*].id
    security_groups = [aws_security_group.kafka.id]

    storage_info {
      ebs_storage_info {
        volume_size = var.kafka.disk_gib
      }
    }
  }

  client_authentication {
    sasl {
      scram = true
    }
  }

  encryption_info {
    encryption_at_rest_kms_key_arn = aws_kms_key.this.arn

    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  open_monitoring {
    prometheus {
      jmx_exporter {
        enabled_in_broker = true
      }
      node_exporter {
        enabled_in_broker = true
      }
    }
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.kafka.name
      }
    }
  }

  lifecycle {
    # The autoscaling below may have made it larger.
    ignore_changes = [broker_node_group_info[0].storage_info[0].ebs_storage_info[0].volume_size]
  }
}

resource "aws_appautoscaling_target" "kafka_disk" {
  service_namespace  = "kafka"
  scalable_dimension = "kafka:broker-storage:VolumeSize"
  resource_id        = aws_msk_cluster.this.arn
  min_capacity       = 1
  max_capacity       = var.kafka.max_disk_gib
}

resource "aws_appautoscaling_policy" "kafka_disk" {
  name               = "${var.name}-kafka-disk"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.kafka_disk.service_namespace
  scalable_dimension = aws_appautoscaling_target.kafka_disk.scalable_dimension
  resource_id        = aws_appautoscaling_target.kafka_disk.resource_id

  target_tracking_scaling_policy_configuration {
    disable_scale_in = true
    target_value     = 70

    predefined_metric_specification {
      predefined_metric_type = "KafkaBrokerStorageUtilization"
    }
  }
}

# One user per stage, so that each can be given its own rights and no more.
ephemeral "aws_secretsmanager_random_password" "kafka" {
  for_each = var.kafka_users

  password_length     = 32
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "kafka" {
  for_each = var.kafka_users

  # MSK takes only secrets whose name begins so, under a key of one's own.
  name       = "AmazonMSK_${var.name}_${each.key}"
  kms_key_id = aws_kms_key.this.arn
}

resource "aws_secretsmanager_secret_version" "kafka" {
  for_each = var.kafka_users

  secret_id = aws_secretsmanager_secret.kafka[each.key].id
  secret_string_wo = jsonencode({
    username = "opspilot-${each.key}"
    password = ephemeral.aws_secretsmanager_random_password.kafka[each.key].random_password
  })
  secret_string_wo_version = var.password_version
}

resource "aws_msk_scram_secret_association" "this" {
  cluster_arn     = aws_msk_cluster.this.arn
  secret_arn_list = [for secret in aws_secretsmanager_secret.kafka : secret.arn]
  depends_on      = [aws_secretsmanager_secret_version.kafka]
}
