;; An app that imports what no host of wasgi has.
(component
  (import "wasi:keyvalue/store@0.2.0-draft" (instance (export "forget" (func))))
  (core module $core (func (export "application")))
  (core instance $instance (instantiate $core))
  (func (export "application") (canon lift (core func $instance "application")))
)
