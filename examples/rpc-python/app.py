from service import Registry, RPC

Registry.initialize()


def application(environ, start_response):
    result = RPC(environ).get_result()
    status, headers, value = result.values()
    start_response(status, headers)
    return [value]
