"""Loads much: modules of the standard library, which come from many files. A warm call loads a few of them once more."""

import argparse
import asyncio  # noqa: F401
import decimal
import email.message
import http.client
import importlib
import sqlite3  # noqa: F401
import unittest.mock
import xml.etree.ElementTree

AGAIN = (argparse, decimal, email.message, http.client, unittest.mock, xml.etree.ElementTree)


def handler(event, context):
    return [importlib.reload(module).__name__ for module in AGAIN]
