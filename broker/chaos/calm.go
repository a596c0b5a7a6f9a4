package main

import (
	"context"
	"maps"
)

// calmLeaders tells whether leaders have changed while the weather was calm.
type calmLeaders struct {
	ask   func(context.Context) (map[uint16]uint64, error) // the shards' terms
	terms map[uint16]uint64                                // when it became calm; nil: it is not
}

// begin notes who leads. If the weather is calm already, what counts is who led when it
// became so.
func (c *calmLeaders) begin(ctx context.Context) (err error) {
	if c.terms == nil {
		c.terms, err = c.ask(ctx)
	}
	return err
}

// end tells whether leaders have changed since begin. Who can't be asked may have.
func (c *calmLeaders) end(ctx context.Context) (changed bool) {
	if c.terms != nil {
		now, err := c.ask(ctx)
		changed = err != nil || !maps.Equal(c.terms, now)
	}
	c.terms = nil
	return changed
}
