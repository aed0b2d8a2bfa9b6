"""The command lines of cloud providers: aws, gcloud, az.

Comes in: a command. Goes out: a verdict.
Promise: the words before the action must be listed groups, so that a resource that is called like a
harmless action cannot hide a harmful one; what deletes, runs code or is unknown is blocked.
"""

from agents.logic.safety.parsing import Command
from agents.logic.safety.table import words
from agents.logic.safety.verdict import SAFE, Verdict, blocked, needs_approval

_READING = words("describe list get search lookup filter head ls read tail show")
_CHANGING = words(
    "update modify reboot start stop put create set attach detach enable disable restore failover"
    " promote rollback register tag untag add authorize associate resize restart scale increase"
    " switchover cp mv sync"
)
_SECRETS = words(
    "get-secret-value get-parameter get-parameters get-session-token get-login-password get-object"
    " get-password-data get-authorization-token get-federation-token get-access-token list-keys"
    " show-connection-string print-access-token get-credentials"
)
_GROUPS = words(
    "instances clusters container compute sql operations node-pools services backend-services"
    " health-checks routers networks subnets firewall-rules disks snapshots topics subscriptions"
    " revisions functions jobs nodegroup vm aks webapp network db server flexible-server postgres"
    " mysql redis nsg lb monitor metrics activity-log log-analytics storage account"
    " forwarding-rules"
    " target-pools addresses buckets builds instance-groups managed deployments versions group"
)
_GLOBAL_VALUES = words("--region --profile --output --project --query --endpoint-url")


def judge_cloud(command: Command, _: Command | None) -> Verdict:
    """Judge by the first word that is an action, read from the left after the service."""
    rest = list(command.words[1:])
    while rest and rest[0].split("=", 1)[0] in _GLOBAL_VALUES:
        has_value = "=" in rest.pop(0)
        del rest[: 0 if has_value else 1]
    for position, word in enumerate(rest):
        first = word.split("-")[0]
        if word.startswith("-"):
            break
        if position == 0:
            continue
        if word in _SECRETS:
            return needs_approval("prints credentials or stored data")
        if first in _READING:
            return SAFE
        if first in _CHANGING:
            return needs_approval(f"{word} changes a cloud resource")
        if word not in _GROUPS:
            return blocked(f"the cloud action {word} is not on the allow list")
    return blocked("names no cloud action before its options")
