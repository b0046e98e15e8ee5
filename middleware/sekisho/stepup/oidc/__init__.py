"""OpenID Connect as a client of one provider: discovery, the redirect, the exchange of a code, the ID token.

Needs the extra `oidc`. Nothing here knows accounts: the factor `oidc` compares the identity with enrolments.
"""
