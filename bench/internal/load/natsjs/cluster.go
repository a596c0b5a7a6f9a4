package natsjs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	readyLimit   = 30 * time.Second
	attemptLimit = 2 * time.Second
	attemptPause = 50 * time.Millisecond
)

// WaitReady returns when a stream with all its replicas can be made: servers of a
// cluster open their ports before they know each other.
func (c *Client) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		err := c.probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(attemptPause):
		case <-ctx.Done():
			return fmt.Errorf("no stream with %d replicas: %w", c.Replicas, err)
		}
	}
}

// probe makes a stream, waits until each replica is up to date, and removes it.
func (c *Client) probe(ctx context.Context) error {
	const name = "probe"
	nc, js, err := c.dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	stream, err := js.CreateOrUpdateStream(ctx, c.stream(name))
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return err
	}
	if c.Replicas > 1 {
		for _, replica := range info.Cluster.Replicas {
			if !replica.Current {
				return fmt.Errorf("replica %s is not current", replica.Name)
			}
		}
	}
	return js.DeleteStream(ctx, name)
}

// Leader is the name of the server that leads a queue's stream.
func (c *Client) Leader(ctx context.Context, queue string) (string, error) {
	nc, js, err := c.dial()
	if err != nil {
		return "", err
	}
	defer nc.Close()
	stream, err := js.Stream(ctx, queue)
	if err != nil {
		return "", err
	}
	cluster := stream.CachedInfo().Cluster
	if cluster == nil || cluster.Leader == "" {
		return "", errors.New("the stream has no leader")
	}
	return cluster.Leader, nil
}

// StepDown has the stream's leader hand over.
func (c *Client) StepDown(ctx context.Context, queue string) error {
	nc, _, err := c.dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	answer, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+queue, nil)
	if err != nil {
		return fmt.Errorf("step down: %w", err)
	}
	var reply struct {
		Success bool `json:"success"`
	}
	if err := json.Unmarshal(answer.Data, &reply); err != nil || !reply.Success {
		return fmt.Errorf("step down: %s", answer.Data)
	}
	return nil
}
