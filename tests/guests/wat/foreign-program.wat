;; A program that imports what no host of WASI has, so that no component can be made of it.
(module
  (import "env" "secret" (func $secret))
  (memory (export "memory") 1)
  (func (export "_start") (call $secret)))
