package admin

import (
	"context"
	"log/slog"

	"entrepot/broker/config"
)

// Options are what a Server is made from.
type Options struct {
	Address string                // HOST:PORT
	Broker  Broker                // what is shown
	Users   *config.Authenticator // who may ask
	Version string                // shown in the metrics
	Logger  *slog.Logger
}

// Server answers admin requests at one address.
type Server struct{}

// Start listens and serves until Shutdown. It fails when the address is taken,
// and when it is not loopback and there are no users.
func Start(o Options) (*Server, error) { panic("unimplemented") }

// Address is where the server listens, with the port that was chosen.
func (s *Server) Address() string { panic("unimplemented") }

// Shutdown stops listening, and waits for requests that run until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { panic("unimplemented") }
