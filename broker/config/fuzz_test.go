package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever stands in a file, reading it ends, with a configuration or with
// errors that have a place.
func FuzzFile(f *testing.F) {
	f.Add("data: x\namqp: [127.0.0.1:1, {address: '::1', channel_max: 3}]\n")
	f.Add("limits: {max_bytes: 1GiB}\npolicies: [{pattern: a/#, ttl_max: 7d}]\n")
	f.Add("amqp: &a [*a]\nusers: *a\nlimits: {<<: *a}\n")
	f.Fuzz(func(t *testing.T, text string) {
		cfg := Default()
		d := &decoder{cfg: &cfg, origins: map[string]string{}}
		d.file("f.yaml", []byte(text))
		d.validate()
		for _, err := range d.errs {
			require.Contains(t, err.Error(), ": ")
		}
		if len(d.errs) == 0 {
			_, err := cfg.PolicySet()
			require.NoError(t, err, "what was found good can be used")
		}
	})
}
