package workload

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker/crash/oracle"
)

func TestBodySaysWhoseItIs(t *testing.T) {
	want := oracle.ID{Producer: 7, N: 1 << 40}
	for _, size := range []int{minBody, minBody + 1, 1000} {
		got, err := decodeBody(encodeBody(want, size))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestEveryChangeOfABodyIsSeen(t *testing.T) {
	body := encodeBody(oracle.ID{Producer: 7, N: 3}, 64)
	for i := range body {
		changed := append([]byte(nil), body...)
		changed[i] ^= 0x10
		_, err := decodeBody(changed)
		require.Error(t, err, "byte %d", i)
		_, err = decodeBody(body[:i])
		require.Error(t, err, "cut to %d bytes", i)
	}
	_, err := decodeBody(append(body, 0))
	require.Error(t, err)
}
