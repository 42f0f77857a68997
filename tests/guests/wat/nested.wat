;; An application with a nested component, which has a module of its own. It is not called: the component model does not
;; let a component call those inside it.
(component
  (import "wasgi:gateway/gateway@0.1.0" (instance $gateway
    (export "environ" (type $environ (sub resource)))
    (export "start-response" (type $start-response (sub resource)))
    (export "writer" (type $writer (sub resource)))
    (type $start-error-is (variant
      (case "already-called") (case "head-sent") (case "bad-status" string) (case "bad-header" string)
      (case "too-large" string) (case "closed")))
    (export "start-error" (type $start-error (eq $start-error-is)))
    (type $file-range-is (record (field "path" string) (field "offset" u64) (field "length" (option u64))))
    (export "file-range" (type $file-range (eq $file-range-is)))
    (type $body-is (variant (case "bytes" (list u8)) (case "file" $file-range)))
    (export "body" (type $body (eq $body-is)))
    (export "[method]start-response.call" (func
      (param "self" (borrow $start-response)) (param "status" string)
      (param "headers" (list (tuple string string))) (param "exc-info" (option string))
      (result (result (own $writer) (error $start-error)))))))
  (alias export $gateway "environ" (type $environ))
  (alias export $gateway "start-response" (type $start-response))
  (alias export $gateway "body" (type $body))
  (alias export $gateway "[method]start-response.call" (func $call))

  (component $inner
    (core module $inner (func (export "letters") (result i32) (i32.const 6)))
    (core instance $inner (instantiate $inner))
    (func (export "letters") (result u32) (canon lift (core func $inner "letters"))))
  (instance $inner (instantiate $inner))

  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    ;; Never frees: an instance serves one request.
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get $new)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (core func $call (canon lower (func $call) (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $main
    (import "memory" "memory" (memory 1))
    (import "gateway" "call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (data (i32.const 0) "200 OK")
    (data (i32.const 16) "nested")
    (func (export "application") (param $environ i32) (param $start-response i32) (result i32)
      ;; The status, no headers, no exc-info; what came of it goes to 64.
      (call $call (local.get $start-response)
        (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 64))
      ;; The variant `bytes`, its pointer and its length.
      (i32.store8 (i32.const 128) (i32.const 0))
      (i32.store (i32.const 136) (i32.const 16))
      (i32.store (i32.const 140) (i32.const 6))
      (i32.const 128)))
  (core instance $gateway-core (export "call" (func $call)))
  (core instance $main (instantiate $main
    (with "memory" (instance $memory)) (with "gateway" (instance $gateway-core))))
  (func (export "application")
    (param "environ" (own $environ)) (param "start-response" (own $start-response)) (result $body)
    (canon lift (core func $main "application") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
