package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An authority signs certificates of nodes.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.key = a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	text, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(text)
	require.NoError(t, err)
	a.write("ca.pem", "CERTIFICATE", text)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	return key
}

func (a *authority) write(name, kind string, text []byte) string {
	file := filepath.Join(a.dir, name)
	require.NoError(a.t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600))
	return file
}

// node writes a certificate for a node into the files of that name.
func (a *authority) node(file, id string) TLS {
	key := a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: id}, DNSNames: []string{id}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	return TLS{
		Cert: a.write(file+".pem", "CERTIFICATE", cert),
		Key:  a.write(file+".key", "PRIVATE KEY", private),
		CA:   filepath.Join(a.dir, "ca.pem"),
	}
}

// handshake lets from talk to to, of which it wants this name, and tells what
// to learned of it. The connection is a real one: both sides may write at a time.
func handshake(t *testing.T, from, to *tls.Config, name string) (seen string, dialErr, acceptErr error) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", to)
	require.NoError(t, err)
	defer listener.Close()
	accepted := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			server := conn.(*tls.Conn)
			err = server.Handshake()
			if certs := server.ConnectionState().PeerCertificates; len(certs) > 0 {
				seen = certs[0].Subject.CommonName
			}
			_ = conn.Close()
		}
		accepted <- err
	}()
	dialled := from.Clone()
	dialled.ServerName = name
	client, dialErr := tls.Dial("tcp", listener.Addr().String(), dialled)
	if dialErr == nil {
		_ = client.Close()
	}
	acceptErr = <-accepted
	return seen, dialErr, acceptErr
}

func TestNodesKnowEachOther(t *testing.T) {
	ours := newAuthority(t)
	n1, err := ours.node("n1", "n1").Load()
	require.NoError(t, err)
	second := ours.node("n2", "n2")
	n2, err := second.Load()
	require.NoError(t, err)

	seen, _, err := handshake(t, n1, n2, "n2")
	require.NoError(t, err)
	require.Equal(t, "n1", seen)

	_, dialErr, _ := handshake(t, n1, n2, "n3")
	require.ErrorContains(t, dialErr, "not n3", "this is another node than was dialled")

	stranger, err := newAuthority(t).node("n1", "n1").Load()
	require.NoError(t, err)
	stranger.RootCAs = n1.RootCAs // even if it believes us
	_, _, err = handshake(t, stranger, n2, "n2")
	require.Error(t, err, "an authority of its own has signed it")

	ours.node("n2", "renewed") // in the same files
	_, dialErr, _ = handshake(t, n1, n2, "n2")
	require.ErrorContains(t, dialErr, "renewed", "new files count without a restart")
}

func TestTLSFilesAreReadAtTheStart(t *testing.T) {
	none, err := TLS{}.Load()
	require.NoError(t, err)
	require.Nil(t, none)

	files := newAuthority(t).node("n1", "n1")
	missing := files
	missing.Cert = "nowhere.pem"
	_, err = missing.Load()
	require.ErrorContains(t, err, "cluster.tls: open nowhere.pem")
	swapped := files
	swapped.CA = files.Key
	_, err = swapped.Load()
	require.ErrorContains(t, err, "cluster.tls.ca: there is no certificate in")
}
