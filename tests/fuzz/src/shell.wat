;; An application whose main module is to be replaced: `smith.rs` puts generated code in its place. It imports all of the
;; gateway, and what it leaves to the main module is in that module's imports and exports.
(component
  (import "wasgi:gateway/gateway@0.1.0" (instance $gateway
    (export "environ" (type $environ (sub resource)))
    (export "input" (type $input (sub resource)))
    (export "start-response" (type $start-response (sub resource)))
    (export "writer" (type $writer (sub resource)))
    (type $input-error-is (variant (case "taken") (case "closed") (case "too-large") (case "timed-out")))
    (export "input-error" (type $input-error (eq $input-error-is)))
    (type $start-error-is (variant
      (case "already-called") (case "head-sent") (case "bad-status" string) (case "bad-header" string)
      (case "too-large" string) (case "closed")))
    (export "start-error" (type $start-error (eq $start-error-is)))
    (type $write-error-is (variant
      (case "closed") (case "past-content-length") (case "no-body-allowed") (case "too-large" u64)))
    (export "write-error" (type $write-error (eq $write-error-is)))
    (type $file-range-is (record (field "path" string) (field "offset" u64) (field "length" (option u64))))
    (export "file-range" (type $file-range (eq $file-range-is)))
    (type $body-is (variant (case "bytes" (list u8)) (case "file" $file-range)))
    (export "body" (type $body (eq $body-is)))
    (export "[method]environ.get" (func
      (param "self" (borrow $environ)) (param "name" string) (result (option string))))
    (export "[method]environ.entries" (func
      (param "self" (borrow $environ)) (result (list (tuple string string)))))
    (export "[method]environ.input" (func
      (param "self" (borrow $environ)) (result (result (own $input) (error $input-error)))))
    (export "[method]input.read" (func
      (param "self" (borrow $input)) (param "max" u64) (result (result (list u8) (error $input-error)))))
    (export "[method]start-response.call" (func
      (param "self" (borrow $start-response)) (param "status" string)
      (param "headers" (list (tuple string string))) (param "exc-info" (option string))
      (result (result (own $writer) (error $start-error)))))
    (export "[method]writer.write" (func
      (param "self" (borrow $writer)) (param "chunk" (list u8)) (result (result (error $write-error)))))
    (export "write-errors" (func (param "text" string)))))
  (alias export $gateway "environ" (type $environ))
  (alias export $gateway "input" (type $input))
  (alias export $gateway "start-response" (type $start-response))
  (alias export $gateway "writer" (type $writer))
  (alias export $gateway "body" (type $body))

  (core module $memory
    (memory (export "memory") 1)
    ;; A head and a body that stand where a guess may find them.
    (data (i32.const 0) "200 OK")
    (data (i32.const 16) "text/plain")
    (data (i32.const 32) "\00\00\00\00\00\00\00\00\06\00\00\00")
    (global $next (mut i32) (i32.const 4096))
    ;; Never frees: an instance serves one request.
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get $new)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $get (canon lower (func $gateway "[method]environ.get") (memory $mem) (realloc $realloc)))
  (core func $entries (canon lower (func $gateway "[method]environ.entries") (memory $mem) (realloc $realloc)))
  (core func $take (canon lower (func $gateway "[method]environ.input") (memory $mem) (realloc $realloc)))
  (core func $read (canon lower (func $gateway "[method]input.read") (memory $mem) (realloc $realloc)))
  (core func $call (canon lower (func $gateway "[method]start-response.call") (memory $mem) (realloc $realloc)))
  (core func $write (canon lower (func $gateway "[method]writer.write") (memory $mem) (realloc $realloc)))
  (core func $errors (canon lower (func $gateway "write-errors") (memory $mem) (realloc $realloc)))
  (core func $drop-environ (canon resource.drop $environ))
  (core func $drop-input (canon resource.drop $input))
  (core func $drop-start-response (canon resource.drop $start-response))
  (core func $drop-writer (canon resource.drop $writer))

  (core module $main
    (import "memory" "memory" (memory 1))
    (import "gateway" "get" (func (param i32 i32 i32 i32)))
    (import "gateway" "entries" (func (param i32 i32)))
    (import "gateway" "take" (func (param i32 i32)))
    (import "gateway" "read" (func (param i32 i64 i32)))
    (import "gateway" "call" (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "gateway" "write" (func (param i32 i32 i32 i32)))
    (import "gateway" "errors" (func (param i32 i32)))
    (import "gateway" "drop-environ" (func (param i32)))
    (import "gateway" "drop-input" (func (param i32)))
    (import "gateway" "drop-start-response" (func (param i32)))
    (import "gateway" "drop-writer" (func (param i32)))
    (func (export "application") (param i32 i32) (result i32) (i32.const 32)))
  (core instance $functions
    (export "get" (func $get))
    (export "entries" (func $entries))
    (export "take" (func $take))
    (export "read" (func $read))
    (export "call" (func $call))
    (export "write" (func $write))
    (export "errors" (func $errors))
    (export "drop-environ" (func $drop-environ))
    (export "drop-input" (func $drop-input))
    (export "drop-start-response" (func $drop-start-response))
    (export "drop-writer" (func $drop-writer)))
  (core instance $main (instantiate $main
    (with "memory" (instance $memory)) (with "gateway" (instance $functions))))
  (func (export "application")
    (param "environ" (own $environ)) (param "start-response" (own $start-response)) (result $body)
    (canon lift (core func $main "application") (memory $mem) (realloc $realloc))))
