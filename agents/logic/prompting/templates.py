"""Chat templates for models that bring none: the same words for a server and for a trainer.

Goes out: Jinja text. Promise: the local model server and training render messages with this one
text, so what was trained on is what is asked.
"""

# Gemma knows two roles: what the system says stands before the next turn of the user. Messages may
# hold log lines, and the server reads control tokens anywhere in a prompt: one that stands in a
# message is broken up, so that a line cannot end its own turn and speak as the model.
GEMMA_TEMPLATE = """\
{{ bos_token }}{% set ns = namespace(lead='') %}{% for message in messages %}\
{% set text = message['content'] | replace('<start_of_', '< start_of_') \
| replace('<end_of_', '< end_of_') | replace('<bos>', '< bos>') | replace('<eos>', '< eos>') %}\
{% if message['role'] == 'system' %}{% set ns.lead = ns.lead + text + '\n\n' %}{% else %}\
<start_of_turn>{{ 'model' if message['role'] == 'assistant' else 'user' }}
{{ ns.lead }}{{ text }}<end_of_turn>
{% set ns.lead = '' %}{% endif %}{% endfor %}\
{% if add_generation_prompt %}<start_of_turn>model
{% endif %}"""
