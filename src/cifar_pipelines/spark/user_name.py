"""A name for users that have none, as in containers that run as any number: Hadoop's login in every JVM asks for one.

Java asks the host for it in one small class of a module of its own. Such a user's JVMs get another class in its place,
written in Scala, for which Spark brings a compiler.
"""

import logging
import os
import pwd
import subprocess
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.jvm import LIGHT_JVM, NO_COUNTERS, jvm_option
from cifar_pipelines.spark.process import spark_home

logger = logging.getLogger(__name__)

MODULE = "jdk.security.auth"
PATIENCE_S = 120
_CLASS = """package com.sun.security.auth.module

class UnixSystem {{
  def getUsername: String = "{name}"
  def getUid: Long = {user}L
  def getGid: Long = {group}L
  def getGroups: Array[Long] = new Array[Long](0)
}}
"""


def login_options(java_home: Path, folder: Path) -> str:
    """The options by which a JVM knows this user by name; none where the host has a name for it.

    Args:
        java_home: The Java runtime.
        folder: Where the class is made, unless it is there, that answers for the host.

    Raises:
        UserError: If that class cannot be made.
    """
    if _has_name():
        return ""
    name, classes = f"user{os.getuid()}", Path(folder, "login")
    if not any(classes.rglob("*.class")):
        classes.mkdir(exist_ok=True)
        _compile(java_home, _CLASS.format(name=name, user=os.getuid(), group=os.getgid()), classes)
        logger.info(f"The user {os.getuid()} has no name on this host; Spark, which needs one, knows it as {name}.")
    options = (f"--patch-module={MODULE}={classes}", f"-Duser.name={name}", f"-Duser.home={folder}")
    return " ".join(map(jvm_option, options))


def _has_name() -> bool:
    """Whether the host has a name for the number of this user."""
    try:
        return bool(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return False


def _compile(java_home: Path, text: str, classes: Path) -> None:
    source = classes / "UnixSystem.scala"
    source.write_text(text, encoding="utf-8")
    jars = os.pathsep.join(str(jar) for jar in (spark_home() / "jars").glob("scala-*.jar"))
    compiler = ["-cp", jars, "scala.tools.nsc.Main", "-usejavacp", "-d", str(classes), str(source)]
    command = [str(java_home / "bin" / "java"), *LIGHT_JVM.split(), NO_COUNTERS, *compiler]
    try:
        subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=PATIENCE_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise _no_name(str(getattr(error, "stderr", None) or error)) from error


def _no_name(reason: str) -> UserError:
    return UserError(
        f"The user {os.getuid()} has no name on this host, Hadoop in Spark's JVMs needs one, and none could be given: "
        f"{reason.strip()}. Start the container as a user of it, or add a line to /etc/passwd: "
        f"echo 'me:x:{os.getuid()}:{os.getgid()}::/tmp:/bin/sh' >> /etc/passwd."
    )
