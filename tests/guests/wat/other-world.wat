;; A component of another world: it runs, but is no application.
(component
  (core module $main (func (export "run")))
  (core instance $main (instantiate $main))
  (func (export "run") (canon lift (core func $main "run"))))
