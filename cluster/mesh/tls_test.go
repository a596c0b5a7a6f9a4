package mesh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority signs certificates for nodes.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

// validity covers the clocks of bubbles (2000-01-01) and ours.
func validity(c *x509.Certificate) *x509.Certificate {
	c.NotBefore, c.NotAfter = time.Unix(0, 0), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	return c
}

func newAuthority(t testing.TB) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := validity(&x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	require.NoError(t, err)
	a := &authority{t: t, key: key, pool: x509.NewCertPool()}
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.pool.AddCert(a.cert)
	return a
}

// config is a node's, with a certificate for these names.
func (a *authority) config(common string, dns ...string) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	leaf := validity(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: common}, DNSNames: dns,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	return &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func certificates(t testing.TB, ids ...string) map[string]*tls.Config {
	ca, all := newAuthority(t), map[string]*tls.Config{}
	for _, id := range ids {
		all[id] = ca.config("", id)
	}
	return all
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	for _, test := range []struct {
		name   string
		a, b   *tls.Config
		reason string // "": they connect
	}{
		{"DNS names", ca.config("", "a"), ca.config("x", "b"), ""},
		{"common names", ca.config("a"), ca.config("b"), ""},
		{"a shows another node's certificate", ca.config("c", "c"), ca.config("b"), "not valid for node"},
		{"b shows another node's certificate", ca.config("a"), ca.config("a"), "not valid for node"},
		{"b is signed by another authority", ca.config("a"), other.config("b"), "certificate"},
		{"a is signed by another authority", other.config("a"), ca.config("b"), "certificate"},
		{"b is plain", ca.config("a"), nil, ""},
		{"a is plain", nil, ca.config("b"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				configs := map[string]*tls.Config{"a": test.a, "b": test.b}
				change := func(n *node, cfg *Config) { cfg.TLS = configs[cfg.Node] }
				a, b := r.start("a", change), r.start("b", change)
				r.link("a", "b")
				r.pass(12 * time.Second)
				if test.reason != "" || test.a == nil || test.b == nil {
					require.Empty(t, a.take())
					require.Empty(t, b.take())
					require.Contains(t, a.Peers()[0].LastError+b.lastErrors(), test.reason)
					return
				}
				require.Equal(t, []string{"up b"}, a.take())
				large := strings.Repeat("large", 200_000)
				require.NoError(t, a.Send("b", chNormal, []byte("small")))
				require.NoError(t, a.Send("b", chNormal, []byte(large)))
				r.settle()
				require.True(t, b.Peers()[0].Connected)
				require.Equal(t, []string{"up a", "a: small", "a: " + large}, b.take())
			})
		})
	}
}

func (n *node) lastErrors() (all string) {
	for _, p := range n.Peers() {
		all += p.LastError
	}
	return all
}

func TestTLSNeedsRoots(t *testing.T) {
	_, err := New(Config{Node: "a", TLS: &tls.Config{}})
	require.ErrorIs(t, err, errNoRoots)
}
