from typing import Any


def check_template(template: Any) -> None: ...
