package brokerproc

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever plans a cluster asks for each node, and for each of its listeners: of what the
// kernel gives to listeners that are closed again, one in some hundred clusters had two
// that were the same.
func TestNoAddressIsGivenTwice(t *testing.T) {
	seen := map[string]bool{}
	for range recentlyGiven / 3 {
		list, err := FreeAddresses(3)
		require.NoError(t, err)
		for _, address := range list {
			require.False(t, seen[address], address)
			seen[address] = true
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			n, err := strconv.Atoi(port)
			require.NoError(t, err)
			require.Less(t, n, 32768, "that may be a client's")
		}
	}
}
