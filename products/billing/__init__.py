"""The billing product: invoices, payments, and the relations over which finance decides."""
