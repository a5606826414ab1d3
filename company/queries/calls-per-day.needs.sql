-- rows of: call_center_calls
select calls.*
from customer_service.call_center.calls
semi join _touched as touched
    on calls.started_at::date = touched.day and calls.queue = touched.queue
