#!/bin/sh
# Creates Temporal's two databases, or brings them up to the version of this image. Both steps leave
# alone what is there, so this runs at every start. Where and as whom: SQL_HOST, SQL_PORT, SQL_USER,
# SQL_PASSWORD, SQL_PLUGIN.
set -eu

versions=${TEMPORAL_SCHEMA_FOLDER:-/etc/temporal/schema}/postgresql/v12

prepare() {
  temporal-sql-tool --db "$1" create
  temporal-sql-tool --db "$1" setup-schema -v 0.0
  temporal-sql-tool --db "$1" update-schema -d "$versions/$2/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
