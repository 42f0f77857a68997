// A web application of Go's standard library, which net/http/cgi runs as a CGI program.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"strings"
)

func main() {
	if err := cgi.Serve(routes()); err != nil {
		log.Fatal(err)
	}
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("POST /greet", greet)
	mux.HandleFunc("GET /request", request)
	mux.HandleFunc("POST /words", words)
	// The path below where the app is mounted, as PATH_INFO has it.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.StripPrefix(strings.TrimSuffix(os.Getenv("SCRIPT_NAME"), "/"), mux).ServeHTTP(w, r)
	})
}

var page = template.Must(template.New("index").Parse(`<!doctype html>
<title>Go</title>
<form method="post" action="greet"><input name="name" autofocus><button>Greet</button></form>
{{with .}}<p>Hello, {{.}}!</p>{{end}}
`))

func index(w http.ResponseWriter, r *http.Request) {
	show(w, r.URL.Query().Get("name"))
}

func greet(w http.ResponseWriter, r *http.Request) {
	show(w, r.PostFormValue("name"))
}

func show(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, name); err != nil {
		log.Print(err)
	}
}

// What Go has made of the request.
func request(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	told := map[string]any{
		"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "host": r.Host, "remote": r.RemoteAddr,
	}
	if err := json.NewEncoder(w).Encode(told); err != nil {
		log.Print(err)
	}
}

// Counts the words of the body as it comes.
func words(w http.ResponseWriter, r *http.Request) {
	count := 0
	scanner := bufio.NewScanner(r.Body)
	scanner.Split(bufio.ScanWords)
	for scanner.Scan() {
		count++
	}
	fmt.Fprintf(w, "%d words\n", count)
}
