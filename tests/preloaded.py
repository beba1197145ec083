"""What a process of the service imports sooner or later; read once, by the process that all of them are forked from."""

# ruff: noqa: F401 - to be imported is all that they are here for

from __future__ import annotations

import gc

import alembic.command
import alembic.migration
import certifi
import procrastinate
import psycopg
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite
import uvicorn.lifespan.on
import uvicorn.loops.uvloop
import uvicorn.protocols.http.httptools_impl

import bot.app
import bot.cli.beside
import bot.cli.outbox
import bot.cli.runbooks
import bot.doctor.examine
import bot.engine.distributed
import bot.migrate
import bot.server
import bot.timeline.collect
import bot.timeline.export
import tests.forks
from tests.quick import certificates, shipped, templates

shipped()
templates()
certificates(cafile=certifi.where())  # as httpx asks for them
gc.freeze()  # a collection in a fork would write to, and so copy, every page
