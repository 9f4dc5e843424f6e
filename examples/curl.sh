#!/bin/sh
# A batch with curl: examples/curl.sh [input.jsonl]
# OPENAI_BASE_URL and OPENAI_API_KEY are those that `npm start` prints.
set -eu

api() {
  path=$1
  shift
  curl --silent --show-error --fail-with-body \
    --header "Authorization: Bearer $OPENAI_API_KEY" "$OPENAI_BASE_URL$path" "$@"
}

# A string of that name in the JSON on standard input; nothing when it is null.
field() {
  sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1
}

input=${1:-examples/support-tickets.jsonl}
file=$(api /files --form purpose=batch --form "file=@$input" | field id)
batch=$(api /batches --header 'Content-Type: application/json' --data "{
  \"input_file_id\": \"$file\",
  \"endpoint\": \"/v1/chat/completions\",
  \"completion_window\": \"24h\"
}" | field id)

while :; do
  answer=$(api "/batches/$batch")
  status=$(echo "$answer" | field status)
  echo "$status" >&2
  case $status in completed | failed | cancelled | expired) break ;; esac
  sleep 1
done

for name in output_file_id error_file_id; do
  id=$(echo "$answer" | field "$name")
  [ -z "$id" ] || api "/files/$id/content"
done
