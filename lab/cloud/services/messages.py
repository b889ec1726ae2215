# SPDX-License-Identifier: Apache-2.0

"""RabbitMQ, with a node name, ports and files of its own."""

import os
import shutil
import socket

from lab.cloud import process
from lab import layout
from lab import wait

DIRECTORY = layout.STATE / 'rabbitmq'
_NODE = 'npc@localhost'

_names = process.Process('epmd')
_server = process.Process('rabbitmq')


def _configure() -> None:
    # What was queued for the services of an earlier run is of no use.
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    (DIRECTORY / 'enabled_plugins').write_text('[].\n')
    (DIRECTORY / 'rabbitmq.conf').write_text('\n'.join([
        'listeners.tcp.1 = %s:%d' % (layout.MACHINE, layout.MESSAGE_PORT),
        'loopback_users = none',
        'log.console = true',
        'log.file = false',
        # A machine that is short of disk must not stop all messages.
        'disk_free_limit.absolute = 50MB', '']))


def start() -> None:
    if _server.is_alive():
        return
    if not _names.is_alive():   # of an earlier run, and not only stopped
        _configure()
    env = {
        # Erlang keeps its cookie in the home directory.
        'HOME': str(DIRECTORY),
        'ERL_EPMD_PORT': str(layout.MESSAGE_NAMES_PORT),
        'RABBITMQ_NODENAME': _NODE,
        'RABBITMQ_CONFIG_FILE': str(DIRECTORY / 'rabbitmq.conf'),
        'RABBITMQ_CONF_ENV_FILE': os.devnull,
        'RABBITMQ_ENABLED_PLUGINS_FILE': str(DIRECTORY / 'enabled_plugins'),
        'RABBITMQ_MNESIA_BASE': str(DIRECTORY / 'mnesia'),
        'RABBITMQ_LOG_BASE': str(DIRECTORY / 'log'),
        'RABBITMQ_PID_FILE': str(DIRECTORY / 'pid'),
        'RABBITMQ_DIST_PORT': str(layout.MESSAGE_DISTRIBUTION_PORT),
        'ERL_CRASH_DUMP': str(layout.LOGS / 'rabbitmq-crash.dump'),
        'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS':
            '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none',
    }
    # Not left to RabbitMQ: its own would outlive it as a daemon.
    _names.start(['epmd', '-port', str(layout.MESSAGE_NAMES_PORT),
                  '-address', layout.LOOPBACK])
    _server.start(['/usr/lib/rabbitmq/bin/rabbitmq-server'], env=env)


def stop() -> None:
    """End it; what is durable in it is there again after a start."""
    _server.end()


def wait_ready() -> None:
    def answers() -> bool:
        address = (layout.MACHINE, layout.MESSAGE_PORT)
        with socket.create_connection(
                address, timeout=wait.scaled(2)) as connection:
            connection.sendall(b'AMQP\x00\x00\x09\x01')
            return bool(connection.recv(1))

    wait.until(answers, 'answer of RabbitMQ', 60, _server.log,
               alive=_server.is_alive)


def wait_consumer(service: process.Process, queue: str,
                  limit: float = 120) -> None:
    """Wait until a service takes messages from its queue.

    A message that is sent before is lost, and its sender waits for an answer
    until it gives up.
    """
    import amqp

    def consumed() -> bool:
        address = '%s:%d' % (layout.MACHINE, layout.MESSAGE_PORT)
        with amqp.Connection(address) as connection:
            channel = connection.channel()
            try:
                return channel.queue_declare(
                    queue, passive=True).consumer_count > 0
            except amqp.NotFound:
                return False

    wait.until(consumed, 'answer of ' + service.name, limit, service.log,
               alive=service.is_alive, interval=0.2)
