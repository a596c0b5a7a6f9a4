package broker

import (
	"errors"
	"fmt"
	"net"
	"time"

	"entrepot/broker/config"
	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
)

// listenerLimits are what all connections of one listener share.
type listenerLimits struct {
	engine         amqp.Config
	maxMessageSize uint64
	anonymous      bool // clients without a user are let in
}

// listener accepts AMQP connections at one address.
type listener struct {
	broker *Broker
	socket net.Listener
	limits *listenerLimits
}

// listen opens one of the configured addresses. Without users only loopback is
// served, and everybody there is anonymous; with users everybody has to log in.
func (b *Broker) listen(cfg config.Listener) (*listener, error) {
	if !b.users.Enabled() && !cfg.Loopback() {
		return nil, fmt.Errorf("amqp listener %s: is not loopback, so clients have to log in, and no users are configured", cfg.Address)
	}
	socket, err := b.around.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("amqp listener: %w", err)
	}
	return &listener{broker: b, socket: socket, limits: b.limitsOf(cfg)}, nil
}

func (b *Broker) limitsOf(cfg config.Listener) *listenerLimits {
	anonymous := !b.users.Enabled()
	sasl := amqp.SASL{Mechanisms: []wire.Symbol{amqp.MechanismPlain}}
	if anonymous {
		sasl = amqp.SASL{Mechanisms: []wire.Symbol{amqp.MechanismAnonymous}, AllowBare: true}
	}
	return &listenerLimits{
		anonymous:      anonymous,
		maxMessageSize: uint64(cfg.MaxMessageSize),
		engine: amqp.Config{
			Role:           amqp.Accepting,
			ContainerID:    b.containerID,
			MaxFrameSize:   uint32(min(uint64(cfg.MaxFrameSize), 1<<32-1)),
			ChannelMax:     cfg.ChannelMax,
			HandleMax:      cfg.HandleMax,
			IdleTimeout:    cfg.IdleTimeout,
			MaxMessageSize: uint64(cfg.MaxMessageSize),
			SASL:           sasl,
			Properties: wire.Map{
				{Key: wire.Symbol("product"), Value: "Entrepot"},
				{Key: wire.Symbol("version"), Value: b.version},
			},
		},
	}
}

// serve accepts until the listener is closed.
func (l *listener) serve() {
	failing := false
	for {
		nc, err := l.socket.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, say: others will end
			if !failing {
				l.broker.log.Warn("connections can't be accepted for now", "error", err)
			}
			failing = true
			time.Sleep(acceptPause)
			continue
		}
		failing = false
		l.broker.serveConn(nc, l.limits)
	}
}

const acceptPause = 50 * time.Millisecond
