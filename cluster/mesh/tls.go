package mesh

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// secured makes the configurations of both sides from the one that was given. The
// peer's name is checked in the handshake of the mesh, when it has said it: see
// namedBy. So the client side checks the chain only, by hand.
func secured(given *tls.Config) (server, client *tls.Config, err error) {
	roots := given.RootCAs
	if roots == nil {
		roots = given.ClientCAs
	}
	if roots == nil {
		return nil, nil, errNoRoots
	}
	server, client = given.Clone(), given.Clone()
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, roots
	server.MinVersion, client.MinVersion = tls.VersionTLS13, tls.VersionTLS13
	server.SessionTicketsDisabled = true // a certificate that was withdrawn is asked for again
	client.InsecureSkipVerify = true     // it would check a host name; VerifyConnection checks the rest
	client.VerifyConnection = func(state tls.ConnectionState) error {
		return chained(state, roots, given.Time)
	}
	return server, client, nil
}

// chained is what crypto/tls does but for the name.
func chained(state tls.ConnectionState, roots *x509.CertPool, clock func() time.Time) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the peer shows no certificate")
	}
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	if clock != nil {
		opts.CurrentTime = clock()
	}
	for _, c := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(opts) // for server authentication
	return err
}

// namedBy says whether the peer's certificate is valid for its node id.
func namedBy(state tls.ConnectionState, id string) error {
	leaf := state.PeerCertificates[0]
	if leaf.Subject.CommonName == id || leaf.VerifyHostname(id) == nil {
		return nil
	}
	return fmt.Errorf("the certificate is not valid for node %q: it names %q, DNS %q", id, leaf.Subject.CommonName, leaf.DNSNames)
}
