// Package redisdb opens the Redis in which the portal keeps all its state: a
// server, a cluster, servers watched by sentinels, or one inside the process.
package redisdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Times and sizes of a connection. A page waits for Redis several times, so one
// that hangs must be noticed soon; a command of ours takes well under a
// millisecond. The shorter deadline of a caller's context always wins.
const (
	dialTimeout  = 2 * time.Second
	readTimeout  = 3 * time.Second
	writeTimeout = 3 * time.Second
	poolTimeout  = 3 * time.Second
	poolSize     = 40
	idleTime     = 5 * time.Minute
)

// DB is an open Redis.
type DB struct {
	redis.UniversalClient
	Embedded bool // inside this process: nothing in it outlives the process

	embedded *embedded
}

// Open opens the Redis that address names and starts one inside the process when
// address is empty. The forms are
//
//	redis://user:password@host:6379/0                        one server (rediss:// with TLS)
//	redis://user:password@host:6379,host:6379,host:6379      a cluster: the commas say so
//	redis+sentinel://user:password@host:26379,host:26379/name?db=0
//
// where the user, the password and the database may be left out, user and
// password of a sentinel address are those of the Redis servers
// (sentinel_username and sentinel_password those of the sentinels), and a
// password is percent-encoded. Open does not wait for the server: the portal
// starts without it and says so on its health page.
func Open(_ context.Context, address string, log *slog.Logger) (*DB, error) {
	if address == "" {
		return openEmbedded(log)
	}
	opts, err := parse(address)
	if err != nil {
		return nil, err
	}
	return &DB{UniversalClient: redis.NewUniversalClient(opts)}, nil
}

// Close ends the connections, and the server itself when it is inside the process.
func (db *DB) Close() error {
	err := db.UniversalClient.Close()
	if db.embedded != nil {
		db.embedded.close()
	}
	return err
}

// Check tells whether Open would understand the address. Its error says what is
// wrong with it and quotes no part of it, because it may hold a password.
func Check(address string) error {
	if address == "" {
		return nil
	}
	_, err := parse(address)
	return err
}

var (
	errForm    = errors.New("it must be like redis://:password@host:6379/0, with a percent-encoded password")
	errScheme  = errors.New("it must begin with redis://, rediss://, redis+sentinel:// or rediss+sentinel://")
	errHost    = errors.New("each of its servers must be host:port")
	errOptions = errors.New("it has an option that is not known")
)

// parse is ours because the parsers of go-redis know no comma list and no
// sentinel scheme, and quote the password in their errors.
func parse(address string) (*redis.UniversalOptions, error) {
	opts := &redis.UniversalOptions{
		ContextTimeoutEnabled: true,
		DialTimeout:           dialTimeout,
		ReadTimeout:           readTimeout,
		WriteTimeout:          writeTimeout,
		PoolTimeout:           poolTimeout,
		PoolSize:              poolSize,
		ConnMaxIdleTime:       idleTime,
		DialerRetries:         1, // a command has its own retries; more here would make each wait for a dead server longer
		// Messages about maintenance exist only at Redis's own cloud.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	var sentinel bool
	for i, part := range strings.Split(address, ",") {
		part = strings.TrimSpace(part)
		first := i == 0
		if !strings.Contains(part, "://") {
			if first {
				return nil, errScheme
			}
			part = "redis://" + part // a further server takes everything but its host from the first
		}
		u, err := url.Parse(part)
		if err != nil {
			return nil, errForm
		}
		if first {
			switch u.Scheme {
			case "redis", "rediss", "redis+sentinel", "rediss+sentinel":
			default:
				return nil, errScheme
			}
			sentinel = strings.HasSuffix(u.Scheme, "+sentinel")
			if strings.HasPrefix(u.Scheme, "rediss") {
				opts.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
			}
			opts.Username = u.User.Username()
			opts.Password, _ = u.User.Password()
		}
		host, err := hostPort(u, sentinel)
		if err != nil {
			return nil, err
		}
		opts.Addrs = append(opts.Addrs, host)
		if err := place(opts, u, sentinel); err != nil {
			return nil, err
		}
	}
	if sentinel && opts.MasterName == "" {
		return nil, errors.New("it must name the master that the sentinels watch: redis+sentinel://host:26379/name")
	}
	if !sentinel && len(opts.Addrs) > 1 && opts.DB != 0 {
		return nil, errors.New("a cluster has no database but 0")
	}
	return opts, nil
}

func hostPort(u *url.URL, sentinel bool) (string, error) {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "6379"
		if sentinel {
			port = "26379"
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" {
		return "", errHost
	}
	return net.JoinHostPort(host, port), nil
}

// place reads what stands after the hosts: the database, or the master's name.
func place(opts *redis.UniversalOptions, u *url.URL, sentinel bool) error {
	path := strings.Trim(u.Path, "/")
	if sentinel && path != "" {
		opts.MasterName = path
		path = ""
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errForm
	}
	for name, values := range query {
		switch {
		case name == "db":
			path = values[0]
		case name == "sentinel_username" && sentinel:
			opts.SentinelUsername = values[0]
		case name == "sentinel_password" && sentinel:
			opts.SentinelPassword = values[0]
		default:
			return errOptions
		}
	}
	if path == "" {
		return nil
	}
	db, err := strconv.ParseUint(path, 10, 16)
	if err != nil {
		return fmt.Errorf("its database must be a number such as 0")
	}
	opts.DB = int(db)
	return nil
}
