package broker

import (
	"context"
	"log/slog"

	"entrepot/protocol/amqp"
)

// Connections that fail are counted by their AMQP condition, or by one of these
// words where no frame could say why.
const (
	endHungUp  = "hung-up"       // the client went without a close
	endStalled = "write-stalled" // it took nothing for writeStall
	endTooMany = "too-many-connections"
)

// logEnd writes the one line that a connection's end is worth, and counts it if
// nobody meant it to end.
func (c *conn) logEnd(err *amqp.Error, remote bool) {
	level, words, condition := slog.LevelWarn, "connection failed", c.ending
	switch {
	case err == nil:
		c.log.Debug("connection closed", "container", c.container)
		return
	case c.forced, remote && condition == "":
		level, words, condition = slog.LevelInfo, "connection closed", string(err.Condition)
	case condition == "":
		condition = string(err.Condition)
		c.broker.metrics.connFailed(condition)
	default:
		c.broker.metrics.connFailed(condition)
		if condition == endHungUp {
			level = slog.LevelInfo // as clients do
		}
	}
	c.log.Log(context.Background(), level, words, "container", c.container, "condition", condition, "reason", err.Description)
}

// faulted takes note of a link or session that we have ended for a fault of the
// client's, or did not let begin.
func (c *conn) faulted(err *amqp.Error) {
	c.broker.metrics.linkFailed(string(err.Condition))
	level := slog.LevelDebug
	if c.faults++; c.faults == 1 { // one line is enough: a client can make any number
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "link or session failed", "container", c.container,
		"scope", err.Scope.String(), "condition", err.Condition, "reason", err.Description)
}
