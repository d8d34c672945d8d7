"""A broker's URL says where it is, who connects, and how."""

import ssl

import pytest

from shared.messaging.amqp.address import address_of


@pytest.mark.parametrize(
    ("url", "host", "port", "vhost"),
    [
        ("amqp://broker", "broker", 5672, "/"),
        ("amqp://broker/", "broker", 5672, "/"),
        ("amqp://broker/%2F", "broker", 5672, "/"),
        ("amqp://broker:1234/fleet-1", "broker", 1234, "fleet-1"),
        ("amqp://broker/a%2Fb", "broker", 5672, "a/b"),
        ("amqps://broker", "broker", 5671, "/"),
        ("amqp://[::1]:5/x", "::1", 5, "x"),
    ],
)
def test_host_port_and_virtual_host_are_read_from_the_url(url, host, port, vhost):
    address = address_of(url)
    assert (address.host, address.port, address.vhost) == (host, port, vhost)


def test_a_password_may_hold_any_character_and_is_not_shown():
    address = address_of("amqp://us%40er:p%2Fa%3Ass@broker/")
    assert (address.user, address.password) == ("us@er", "p/a:ss")
    assert "p/a:ss" not in repr(address)


def test_without_a_name_it_is_the_guest():
    assert (address_of("amqp://broker").user, address_of("amqp://broker").password) == ("guest", "guest")


def test_only_an_encrypted_connection_has_a_context_and_it_verifies_the_broker():
    assert address_of("amqp://broker").ssl_context() is None
    context = address_of("amqps://broker").ssl_context()
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_verification_is_switched_off_by_name_only():
    context = address_of("amqps://broker?no_verify_ssl=1").ssl_context()
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_a_file_of_authorities_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        address_of(f"amqps://broker?cafile={tmp_path}/none.pem").ssl_context()


@pytest.mark.parametrize("url", ["http://broker", "amqp://", "broker:5672"])
def test_what_is_no_url_of_a_broker_is_refused(url):
    with pytest.raises(ValueError, match="amqp://"):
        address_of(url)
