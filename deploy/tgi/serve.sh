#!/bin/bash
# Runs a model server (the arguments) with the adapters that the trainer has released.
# Comes in: LORA_ADAPTERS as somebody set it, and the file ADAPTERS_FILE with the line LORA_ADAPTERS=...
# that the trainer writes. Goes out: the server with both. Promise: the server reads its adapters at its
# start only, so when the file changes it is told to end, and this ends with it; whoever runs the
# container starts it again. Nobody else needs the right to restart it.
set -u

file=${ADAPTERS_FILE:?names the file that the trainer writes}
fixed=${LORA_ADAPTERS:-}
pause_seconds=${ADAPTERS_PAUSE_SECONDS:-5}

written() { cat "$file" 2>/dev/null; }

# A folder that is no longer there would keep the server from starting, for ever.
present() {
  local entry kept=
  local IFS=,
  for entry in ${1#LORA_ADAPTERS=}; do
    if [ -d "${entry#*=}" ]; then
      kept=$kept${kept:+,}$entry
    else
      echo "serve: $entry is left out: there is no such folder" >&2
    fi
  done
  echo "$kept"
}

before=$(written)
released=$(present "$before")
LORA_ADAPTERS=$fixed${fixed:+${released:+,}}$released
if [ -n "$LORA_ADAPTERS" ]; then export LORA_ADAPTERS; else unset LORA_ADAPTERS; fi
echo "serve: adapters: ${LORA_ADAPTERS:-none}" >&2

# Before the server is there: told to end in between, this would leave it behind.
server= stopping=
trap 'stopping=yes; [ -n "$server" ] && kill -TERM "$server" 2>/dev/null' TERM INT
"$@" &
server=$!
[ -n "$stopping" ] && kill -TERM "$server" 2>/dev/null

told=
while kill -0 "$server" 2>/dev/null; do
  sleep "$pause_seconds" &
  # Ends with a signal too, so that a stop is not kept waiting.
  wait -n "$server" $!
  if [ -z "$told" ] && [ "$(written)" != "$before" ]; then
    echo "serve: the released adapters have changed: starting anew" >&2
    told=yes
    kill -TERM "$server" 2>/dev/null
  fi
done
wait "$server"
