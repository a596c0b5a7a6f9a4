package adminclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"entrepot/broker/admin"
	"entrepot/cmd/entrepot/internal/console"
)

// Cluster tells of the cluster that the broker belongs to.
func (c *Client) Cluster(ctx context.Context) (status admin.ClusterStatus, err error) {
	err = c.do(ctx, http.MethodGet, "/api/v1/cluster", nil, &status)
	return status, err
}

// AddNode makes a node a member; report hears how far that is.
func (c *Client) AddNode(ctx context.Context, node, address string, report func(admin.Progress)) error {
	return c.operate(ctx, http.MethodPut, nodePath(node), map[string]string{"address": address}, report, nil)
}

// RemoveNode takes a node out of every shard.
func (c *Client) RemoveNode(ctx context.Context, node string, force bool, report func(admin.Progress)) error {
	target := nodePath(node) + "?force=" + strconv.FormatBool(force)
	return c.operate(ctx, http.MethodDelete, target, nil, report, nil)
}

// DrainNode moves everything that a node leads away.
func (c *Client) DrainNode(ctx context.Context, node string, report func(admin.Progress)) error {
	return c.operate(ctx, http.MethodPost, nodePath(node)+"/drain", nil, report, nil)
}

// Transfer moves the leadership of a shard; to nobody in particular if to is
// empty.
func (c *Client) Transfer(ctx context.Context, shard uint16, to string) error {
	target := "/api/v1/cluster/shards/" + strconv.Itoa(int(shard)) + "/transfer"
	var ok struct{}
	return c.do(ctx, http.MethodPost, target, map[string]string{"to": to}, &ok)
}

// Rebalance gives each node its share of leaderships.
func (c *Client) Rebalance(ctx context.Context, report func(admin.Progress)) error {
	return c.operate(ctx, http.MethodPost, "/api/v1/cluster/rebalance", nil, report, nil)
}

// Verify compares the replicas of every shard.
func (c *Client) Verify(ctx context.Context, report func(admin.Progress)) (v admin.Verification, err error) {
	err = c.operate(ctx, http.MethodPost, "/api/v1/cluster/verify", nil, report, &v)
	return v, err
}

func nodePath(node string) string { return "/api/v1/cluster/nodes/" + segment(node) }

// operate asks for something that takes long and reads the lines of its answer.
func (c *Client) operate(ctx context.Context, method, target string, in any, report func(admin.Progress), result any) error {
	response, err := c.send(ctx, c.patient, method, target, in)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(response.Body) // the status alone tells most of it
		return failure(response.StatusCode, text)
	}
	for lines := json.NewDecoder(response.Body); ; {
		var line struct {
			Progress *admin.Progress `json:"progress"`
			Done     bool            `json:"done"`
			Result   json.RawMessage `json:"result"`
			Error    string          `json:"error"`
			Status   int             `json:"status"`
		}
		if err := lines.Decode(&line); err != nil {
			return cutOff(ctx, err)
		}
		switch {
		case line.Progress != nil:
			report(*line.Progress)
		case line.Error != "":
			return console.WithCode(exitCode(line.Status), errors.New(line.Error))
		case line.Done && result != nil:
			return json.Unmarshal(line.Result, result)
		case line.Done:
			return nil
		}
	}
}

// cutOff is the error for an answer without an end.
func cutOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return console.WithCode(console.ExitUnreachable, fmt.Errorf("the broker did not say how it ended; ask again: %w", err))
}
