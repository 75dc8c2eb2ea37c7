#!/bin/sh
# Runs once, when the volume is empty: a database and a role of its own for MLflow, for Optuna's studies, and for the prediction log.
set -eu

make_database() { # make_database NAME PASSWORD: both the role and its database are called NAME
  psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set name="$1" --set password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

make_database mlflow "$MLFLOW_DB_PASSWORD"
make_database optuna "$OPTUNA_DB_PASSWORD"
make_database labline "$LABLINE_DB_PASSWORD"
