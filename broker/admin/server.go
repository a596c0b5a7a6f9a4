package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"entrepot/broker/config"
)

// What one client may take of the server. There are few clients here, and none
// of them has much to say.
const (
	maxConnections    = 1024
	maxHeaderBytes    = 32 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = requestTimeout + 30*time.Second
	idleTimeout       = 2 * time.Minute
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
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Start listens and serves until Shutdown. It fails when the address is taken,
// and when it is not loopback and there are no users.
func Start(o Options) (*Server, error) {
	if !o.Users.Enabled() && !config.IsLoopback(o.Address) {
		return nil, fmt.Errorf("admin interface: %s is not loopback, so it wants users to log in, and there are none", o.Address)
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("admin interface: %w", err)
	}
	s := &Server{
		listener: listener,
		http: &http.Server{
			Handler:           newHandler(o),
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
		},
	}
	go func() {
		if err := s.http.Serve(newBounded(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("admin interface has ended", "error", err)
		}
	}()
	return s, nil
}

// Address is where the server listens, with the port that was chosen.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Shutdown stops listening and waits for the requests that run. When ctx ends
// before they do, it closes their connections and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // what it would report, Shutdown has
	}
	return err
}
