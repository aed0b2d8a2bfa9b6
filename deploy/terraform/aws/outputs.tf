output "cluster_name" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = aws_eks_cluster.this.name
}

output "cluster_endpoint" {
  description = "The cluster's API."
  value       = aws_eks_cluster.this.endpoint
}

output "cluster_ca" {
  description = "The authority of the cluster's API, base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "kafka_bootstrap" {
  description = "For the chart's kafka.bootstrap."
  value       = aws_msk_cluster.this.bootstrap_brokers_sasl_scram
}

output "kafka_secrets" {
  description = "Secret with username and password of each Kafka user."
  value       = { for user, secret in aws_secretsmanager_secret.kafka : user => secret.name }
}

output "adapters_bucket" {
  description = "Where adapters are kept."
  value       = aws_s3_bucket.adapters.bucket
}

output "roles" {
  description = "Role per service account."
  value       = { for key, role in aws_iam_role.account : key => role.arn }
}

output "account_id" {
  description = "In which account all this is."
  value       = data.aws_caller_identity.current.account_id
}
