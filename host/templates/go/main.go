package main

import (
	"fmt"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
)

// The host runs the program once for each request.
func main() {
	// Paths begin where the app is mounted.
	app := http.StripPrefix(os.Getenv("SCRIPT_NAME"), routes())
	if err := cgi.Serve(app); err != nil {
		log.Fatal(err)
	}
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", greet)
	return mux
}

func greet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "Hello from {{name}}!")
}
