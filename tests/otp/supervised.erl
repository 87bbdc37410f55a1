%% Runs supervision trees with Erlang/OTP's own supervisor and tells what it did, for comparison with ours.
%%
%%   erl -noshell -pa DIR -run supervised main CASES CONCURRENT
%%
%% CASES is a file of terms {Id, Nodes, Fails, Steps}, one a case; Fails is about the first start:
%%   Nodes  [{Index, Parent, Restart, Significant, What}], the root first with index 0 and parent -1, children in start order
%%   What   {supervisor, Strategy, AutoShutdown, Max, Within} | {worker, Shutdown, Obeys}
%%   Steps  [{At, Ends, Fails}]: in second At the workers of Ends = [{Index, Reason}] end, all of one supervisor, before it
%%          hears of any; the next starts of the workers in Fails = [{Index, Times}] fail.
%% For each case it prints a line `case ID`, a line for the first start and one for each step, and `end`. A line lists what
%% happened in order: S2 supervisor 2 begins to start its children, s5 worker 5 starts, f5 its start fails, x5 it is told to
%% stop, g2 supervisor 2 gives up; then `|` and who is alive, or `| over`. A case whose step left its second is `late`.
-module(supervised).
-behaviour(supervisor).
-export([main/1, init/1, start_worker/3, worker/3, log/2]).

main([File, Concurrent]) ->
    {ok, Cases} = file:consult(File),
    ok = logger:add_handler(told, ?MODULE, #{}),
    _ = logger:remove_handler(default),
    pool(Cases, list_to_integer(Concurrent), 0),
    halt(0).

%% pool runs so many cases at once: most of a case's time is waiting for the next second.
pool([], _, 0) -> ok;
pool([Case | Rest], Free, Busy) when Free > 0 ->
    spawn_monitor(fun() -> run(Case) end),
    pool(Rest, Free - 1, Busy + 1);
pool(Cases, Free, Busy) ->
    receive
        {'DOWN', _, process, _, {told, Text}} -> io:put_chars(Text);
        {'DOWN', _, process, _, Reason} -> io:format(standard_error, "a case failed: ~p~n", [Reason]), halt(1)
    end,
    pool(Cases, Free + 1, Busy - 1).

run({Id, Nodes, Fails, Steps}) ->
    process_flag(trap_exit, true),
    T = ets:new(tree, [public, ordered_set]),
    ets:insert(T, [{seq, 0} | [{{node, element(1, N)}, N} || N <- Nodes]]),
    ets:insert(T, [{{fails, C}, N} || {C, N} <- Fails]),
    settle_into_second(),
    Base = erlang:monotonic_time(1),
    Root = case supervisor:start_link(?MODULE, {T, 0}) of {ok, Pid} -> Pid; {error, _} -> none end,
    First = [seen(T, Root), check(Base)],
    exit({told, ["case ", integer_to_list(Id), $\n, First, steps(T, Root, Base, Steps), "end\n"]}).

steps(_, _, _, []) -> [];
steps(T, Root, Base, [{At, Ends, Fails} | Rest]) ->
    wait(Base + At),
    ets:insert(T, [{{fails, C}, N} || {C, N} <- Fails]),
    finish(T, Ends),
    quiet(T, Root),
    [ets:delete(T, {fails, C}) || {C, _} <- Fails],
    [seen(T, Root), check(Base + At) | steps(T, Root, Base, Rest)].

%% settle_into_second begins well inside a second, each case at a place of its own.
settle_into_second() ->
    Into = erlang:monotonic_time(millisecond) - erlang:monotonic_time(1) * 1000,
    timer:sleep(1000 - Into + 50 + rand:uniform(350)).

wait(Second) ->
    case Second * 1000 + 50 - erlang:monotonic_time(millisecond) of
        Left when Left > 0 -> timer:sleep(Left + rand:uniform(350));
        _ -> ok
    end.

check(Second) ->
    case erlang:monotonic_time(1) of Second -> []; _ -> "late\n" end.

%% finish ends the workers in order. When they are several their supervisor hears of them together.
finish(T, [{C, Reason}]) -> finish_one(T, C, Reason);
finish(T, [{C, _} | _] = Ends) ->
    {_, Parent, _, _, _} = ets:lookup_element(T, {node, C}, 2),
    Supervisor = ets:lookup_element(T, {pid, Parent}, 2),
    ok = sys:suspend(Supervisor),
    [finish_one(T, E, Reason) || {E, Reason} <- Ends],
    ok = sys:resume(Supervisor).

finish_one(T, C, Reason) ->
    Pid = ets:lookup_element(T, {pid, C}, 2),
    Ref = monitor(process, Pid),
    case Reason of
        kill -> exit(Pid, kill);
        _ -> Pid ! {finish, Reason}
    end,
    receive {'DOWN', Ref, process, _, _} -> ok end.

%% quiet waits until nothing is under way in the tree: two walks in a row find the same.
quiet(T, Root) -> quiet(T, Root, none).
quiet(T, Root, Before) ->
    Now = {walk(Root, 0), ets:lookup_element(T, seq, 2)},
    case Now of
        Before when element(1, Before) =/= busy -> ok;
        _ -> erlang:yield(), quiet(T, Root, Now)
    end.

%% walk lists who is alive, or busy when somebody is not there and not gone.
walk(Pid, Index) ->
    case is_process_alive(Pid) of
        false when Index =:= 0 -> over;
        false -> busy;
        true ->
            try supervisor:which_children(Pid) of
                Children -> walk_all(Children, [Index])
            catch exit:_ -> busy
            end
    end.

walk_all([], Alive) -> Alive;
walk_all([{_, undefined, _, _} | Rest], Alive) -> walk_all(Rest, Alive);
walk_all([{_, restarting, _, _} | _], _) -> busy;
walk_all([{Id, Pid, worker, _} | Rest], Alive) ->
    case is_process_alive(Pid) of
        true -> walk_all(Rest, [Id | Alive]);
        false -> busy
    end;
walk_all([{Id, Pid, supervisor, _} | Rest], Alive) ->
    case walk(Pid, Id) of
        Below when is_list(Below) -> walk_all(Rest, Below ++ Alive);
        _ -> busy
    end.

%% seen prints what happened since the last time.
seen(T, Root) ->
    Log = lists:sort(ets:select(T, [{{{log, '$1'}, '$2'}, [], [{{'$1', '$2'}}]}])),
    ets:match_delete(T, {{log, '_'}, '_'}),
    Alive = case Root of none -> over; _ -> walk(Root, 0) end,
    Names = case Alive of
        over -> "over";
        _ -> lists:join($\s, [integer_to_list(N) || N <- lists:sort(Alive)])
    end,
    [lists:join($\s, [L || {_, L} <- Log]), " | ", Names, $\n].

note(T, Letter, Index) ->
    N = ets:update_counter(T, seq, 1),
    ets:insert(T, {{log, N}, [Letter | integer_to_list(Index)]}).

%% init is a supervisor's; it runs in the supervisor. Starts that were to fail were those of its last incarnation.
init({T, Index}) ->
    note(T, $S, Index),
    put(told, {T, Index}),
    {_, _, _, _, {supervisor, Strategy, Auto, Max, Within}} = ets:lookup_element(T, {node, Index}, 2),
    Children = ets:select(T, [{{{node, '_'}, {'_', Index, '_', '_', '_'}}, [], ['$_']}]),
    [ets:delete(T, {fails, element(1, C)}) || {_, C} <- Children, ets:member(T, {pid, Index})],
    ets:insert(T, {{pid, Index}, self()}),
    {ok, {#{strategy => Strategy, intensity => Max, period => Within, auto_shutdown => Auto},
        [child(T, C) || {_, C} <- lists:sort(Children)]}}.

child(T, {Index, _, Restart, Significant, {supervisor, _, _, _, _}}) ->
    #{id => Index, restart => Restart, significant => Significant, type => supervisor, shutdown => infinity,
        start => {supervisor, start_link, [?MODULE, {T, Index}]}};
child(T, {Index, _, Restart, Significant, {worker, Shutdown, Obeys}}) ->
    #{id => Index, restart => Restart, significant => Significant, shutdown => Shutdown,
        start => {?MODULE, start_worker, [T, Index, Obeys]}}.

start_worker(T, Index, Obeys) ->
    case ets:lookup(T, {fails, Index}) of
        [{Key, N}] when N > 0 ->
            ets:insert(T, {Key, N - 1}),
            note(T, $f, Index),
            {error, told_to};
        _ ->
            note(T, $s, Index),
            proc_lib:start_link(?MODULE, worker, [T, Index, Obeys])
    end.

worker(T, Index, Obeys) ->
    process_flag(trap_exit, true),
    ets:insert(T, {{pid, Index}, self()}),
    proc_lib:init_ack({ok, self()}),
    receive
        {finish, Reason} -> exit(Reason);
        {'EXIT', _, Reason} ->
            note(T, $x, Index),
            case Obeys of
                true -> exit(Reason);
                false -> receive never -> ok end
            end
    end.

%% log is a handler's: it runs in the supervisor that reports.
log(#{msg := {report, #{label := {supervisor, shutdown}, report := Report}}}, _) ->
    case {get(told), proplists:get_value(reason, Report)} of
        {{T, Index}, reached_max_restart_intensity} -> note(T, $g, Index);
        _ -> ok
    end;
log(_, _) -> ok.
