"""Dagster assets: thin bodies that call `flywheel.stages`, one file per stage."""
