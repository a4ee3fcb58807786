-- What people say of a function. The default is for the control workers of the berthd before, which go on for a while. Its poolmgr still
-- asks with function_spec(), which nobody does any more once it has ended: the next migration may drop that.
alter table function_versions add column description text not null default '';
