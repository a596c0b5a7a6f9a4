package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS are the files (PEM) by which a node proves who it is, and knows others.
// All three or none.
type TLS struct {
	// Cert is the node's certificate, with those between it and CA behind it.
	// One of its DNS names is the node's id. It is used on both ends of a
	// connection.
	Cert string `yaml:"cert"`
	// Key is its private key.
	Key string `yaml:"key"`
	// CA are the certificates of whoever may sign a node's.
	CA string `yaml:"ca"`
}

// Enabled reports whether anything is said of TLS.
func (t TLS) Enabled() bool { return t != TLS{} }

// Load reads the files: a configuration for both ends of a connection between
// nodes, which demands a certificate of the other one that CA has signed.
// Whether it is the right node's is for whoever dials or accepts to check. nil:
// no TLS.
//
// Cert and Key are read again for every connection, so that new ones need no
// restart; CA is read now.
func (t TLS) Load() (*tls.Config, error) {
	if !t.Enabled() {
		return nil, nil
	}
	if _, err := t.pair(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("cluster.tls.ca: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("cluster.tls.ca: there is no certificate in %s", t.CA)
	}
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.pair() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.pair() },
		ClientAuth:           tls.RequireAndVerifyClientCert,
		ClientCAs:            authorities,
		RootCAs:              authorities,
	}, nil
}

func (t TLS) pair() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("cluster.tls: %w", err)
	}
	return &pair, nil
}
