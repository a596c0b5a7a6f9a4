package broker

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The oldest record that was left to go with others says when they are to be hurried;
// those before the last hurry, and those that are answered, do not.
func TestRestEndsWithTheOldest(t *testing.T) {
	var p proposals
	none := func() {
		_, rests := p.restUntil()
		require.False(t, rests)
	}
	until := func(want int64) {
		at, rests := p.restUntil()
		require.True(t, rests)
		require.Equal(t, want, at)
	}
	propose := func(at int64) {
		p.last++
		p.open = append(p.open, openProposal{token: p.last, at: at})
	}
	none()
	propose(10)
	propose(11)
	until(10 + restMillis)
	p.open = p.open[1:] // it has gone with a message
	until(11 + restMillis)
	p.hurried = p.last
	none()
	propose(12)
	until(12 + restMillis)
	p.open = nil
	none()
	propose(15)
	until(15 + restMillis)
}
