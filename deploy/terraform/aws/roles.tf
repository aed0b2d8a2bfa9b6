# A role per service account that needs AWS at all. The stages need only Kafka, the models' servers
# take adapters from a volume that the trainer writes: they get none.
locals {
  issuer = replace(aws_iam_openid_connect_provider.cluster.url, "https://", "")

  accounts = {
    trainer = { namespace = var.namespace, name = "opspilot-trainer", adapters = true }
    ebs-csi = { namespace = "kube-system", name = "ebs-csi-controller-sa", adapters = false }
  }
}

data "aws_iam_policy_document" "account_trust" {
  for_each = local.accounts

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.cluster.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:${each.value.namespace}:${each.value.name}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "account" {
  for_each = local.accounts

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.account_trust[each.key].json
}

data "aws_iam_policy_document" "adapters" {
  for_each = { for key, account in local.accounts : key => account if account.adapters }

  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.adapters.arn]
  }

  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.adapters.arn}/*"]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "adapters" {
  for_each = data.aws_iam_policy_document.adapters

  name   = "adapters"
  role   = aws_iam_role.account[each.key].name
  policy = each.value.json
}

resource "aws_iam_role_policy_attachment" "ebs_csi" {
  role       = aws_iam_role.account["ebs-csi"].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
}
