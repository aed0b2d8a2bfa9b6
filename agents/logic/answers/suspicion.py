"""Whether evidence speaks to a model instead of about a system.

Comes in: the texts of an incident's evidence, decoded one layer. Goes out: yes or no.
Promise: pure, linear; order does not matter. It is a net with holes: what it catches costs a model
its vote, what it misses meets the limits of `combining`, which hold for every answer.
"""

import re

from agents.logic.answers.evidence import EvidenceText, evidence_of, evidence_text
from schemas.classification import Classification
from schemas.incident import Incident

_OBJECTS = r"(?:instructions?|prompts?|rules?|directives?|guidelines?|context|orders|messages?)"
_CATEGORIES = r"(?:network|database|application|security|hardware|performance)"
_SPEECH = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|skip)\b.{0,40}\b(?:previous|prior|above|earlier"
    rf"|all|any|your|these|those|the|system)\b.{{0,30}}\b{_OBJECTS}\b"
    r"|\b(?:new|updated|real|following|hidden|your|system|developer)\s+(?:instructions?|prompts?"
    r"|rules?|directives?|guidelines?)\b\s*(?::|-|are|is)"
    r"|\bsystem\s?prompt\b|\bprompt injection\b|\bjailbreak|\bdeveloper mode\b"
    r"|\byou are (?:now |no longer )?(?:an? |the )?(?:\w+ )?(?:ai|assistant|model|llm|chatbot|bot"
    r"|dan|classifier|analyst|judge|administrator)\b"
    r"|\b(?:ai|language|large language) (?:model|assistant|agent|classifier)s?\b|\bllms?\b"
    r"|\b(?:chatgpt|gpt-?\d|openai assistant)\b"
    r"|\b(?:dear|attention|note to|hey|hello|to the) (?:\w+ )?(?:ai|assistant|model|llm|classifier"
    r"|analy[sz]er|opspilot)\b"
    r"|\b(?:classify|label|rate|grade|mark|treat|categori[sz]e|judge)\b.{0,60}\b(?:severity|category"
    r"|as (?:an? )?(?:low|medium|high|critical|benign|harmless|normal|routine|network|database"
    r"|application|security|hardware|performance))\b"
    r"|\b(?:set|change|lower|raise|report|downgrade|upgrade|make)\b.{0,25}\b(?:severity|category)\b"
    r"|\b(?:answer|respond|reply|output|print|say|return)\b.{0,15}\b(?:only|exactly|with json"
    r"|in json|verbatim|the following)\b"
    r"|\bdo not (?:escalate|page|alert|wake)\b"
    r"|\b(?:recommend|suggest|include|add|propose|insert|write)\b.{0,40}\b(?:command|step|action|plan"
    r"|remediation|runbook|link|url)\b"
    r"|#\s*(?:symptoms|checks|steps|success|risks|rollback)\b"
    r"|\b(?:suggested_?actions|estimated_?minutes|rollback_?plan|success_?criteria)\b"
    rf"|\"category\"\s*:\s*\"{_CATEGORIES}\""
    rf"|\bcategory\b[\s=:\"'-]{{0,3}}(?:is |must be |should be |to )?[\"']?{_CATEGORIES}\b"
    r"|\bseverity\b (?:is|must be|should be|to|as) \"?(?:low|medium|high|critical)\b"
    rf"|\b(?:verdict|conclusion)\b.{{0,30}}\b{_CATEGORIES}\b"
    rf"|\banswer:? (?:is |only |with )?{_CATEGORIES}\b"
    # A logger that writes JSON states its own severity; only quoted inside a text it is a verdict.
    r"|^(?!\s*\{).*\"severity\\?\"\s*:\s*\\?\"(?:low|medium|high|critical)"
    r"|\"role\"\s*:\s*\"(?:system|assistant|developer|tool)\"|\btool_?calls?\b|\bfunction_?call\b"
    r"|(?<!unexpected )(?<!premature )\bend of (?:data|logs?|input|evidence)\b(?! on| of| stream)"
    r"|\b(?:begin|end|start)[ _-](?:system|data|instructions?|prompt)\b"
)
_FOREIGN = re.compile(
    r"ignor(?:iere|ieren sie|ez|er|a|e|ate|are) .{0,30}(?:anweisung|instruc|consigne|istruzion"
    r"|instruç|regel|règle|reglas|regras|polecen)"
    r"|vergiss .{0,30}(?:anweisung|regel)|oublie[zr]? .{0,30}(?:instruction|consigne|règle)"
    r"|olvid[ae] .{0,30}(?:instruccion|reglas)|negeer .{0,30}(?:instructie|opdracht)"
    r"|(?:stufe|bewerte|melde|markiere|classe[zr]?|marque[zr]?|clasifica|marca|classifica) .{0,60}"
    r"(?:niedrig|kritisch|faible|critique|baj[ao]|crític[ao]|bass[ao]|als |comme |como |come )"
    r"|игнорир|забудь|инструкци|忽略|无视|無視|指示|指令|プロンプト|무시|지시|تجاهل|التعليمات|"
    r"निर्देश|अनदेखा|התעלם|yoksay|talimat"
)
_TOKENS = re.compile(
    r"<\|/?(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end)\|>"
    r"|</?(?:start_of_turn|end_of_turn|bos|eos)>|</s>|\[/?(?:inst|system_prompt|tool_calls)\]"
    r"|<<\s*/?sys\s*>>"
    r"|###\s*(?:instruction|system|response|human|assistant)|</?(?:system[_-]prompt|instructions?|assistant)>"
    r"|\bdata-[0-9a-f]{6,}|^\s*(?:system|assistant|human|developer)\s*:|\n(?:system|assistant)\s*:"
)


def speaks_to_model(evidence: EvidenceText) -> bool:
    """Tell whether any text of the evidence seems to be written for a model to obey."""
    return any(
        pattern.search(text) for text in evidence.texts for pattern in (_SPEECH, _TOKENS, _FOREIGN)
    )


def speaks(text: str) -> bool:
    """Tell whether one line seems to be written for its reader to obey."""
    return speaks_to_model(evidence_text((text,)))


def is_hostile(record: Incident | Classification) -> bool:
    """Tell whether the evidence of a record speaks to a model: then asking one is no use."""
    return speaks_to_model(evidence_of(record))
