#!/bin/sh
# Registers the namespace and the search attributes, if they are not. Where: TEMPORAL_ADDRESS and
# TEMPORAL_NAMESPACE.
set -eu

# Closed batches can be looked at in the Web UI for this long; results are not kept here.
retention=168h

# A new namespace is known to all parts of the server only after several seconds.
persistently() {
  attempts=60
  until "$@"; do
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || return 1
    sleep 1
  done
}

persistently temporal operator cluster health
temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention "$retention"

while read -r name type; do
  persistently temporal operator search-attribute create --name "$name" --type "$type" </dev/null
done <<ATTRIBUTES
BatchStatus Keyword
BatchProject Keyword
BatchModel Keyword
BatchRequests Int
BatchExpiresAt Datetime
ATTRIBUTES
