"""How passwords are kept."""

from ledger import credentials


def test_a_password_is_kept_as_argon2id_as_rfc_9106_recommends_it() -> None:
    kept = credentials.hash_password("correct horse battery")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert credentials.is_password("correct horse battery", kept)
    assert not credentials.is_password("correct horse batterz", kept)
    assert not credentials.is_password("correct horse battery", None)
