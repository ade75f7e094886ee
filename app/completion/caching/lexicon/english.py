"""English."""

from app.completion.caching.lexicon.shape import (
    Lexicon,
    groups,
    idioms,
    longest_first,
    pairs,
    table,
    twos,
    words,
)

ENGLISH = Lexicon(
    language="en",
    idioms=idioms(
        r"""
        (?:how come|what makes|what is making|what leads to|what is the reason (?:for|that|why)) => ¤why
        why is there => ¤why
        what (?:helps|can help|will help)(?: you| me)?(?: to)? => ¤how
        what is the (drying|cooking|boiling|baking|charging|waiting|delivery|recovery) time (?:of|for) => ¤long \1
        came up with => invented
        come up with => invent
        in (?:what|which) place => ¤where
        draw up => write
        put together => assemble
        look after|take care of => care
        throw away => discard
        how heavy (?:is|are) => ¤count weigh
        what is the weight of => ¤count weigh
        how (?:tall|high) (?:is|are) => ¤count height
        what is the height of => ¤count height
        what's|whats => what is
        (?:can|could|would) you (?:please )?(?:tell|explain|show|help)(?: to)?(?: me)?(?: with)? =>
        (?:please|kindly|^hello|^hi) =>
        i(?: would|'d)? (?:like|want) to (?:know|learn|understand) =>
        (?:tell me|explain)(?: to me)?(?: what| about)? => ¤define
        cannot|can not|can't => can not
        won't => will not
        (\w+)n't => \1 not
        what does (.+) mean => ¤define \1
        what is the meaning of => ¤define
        (?:what|which|in what|in which|on what|on which) (?:year|date|day|month|century|time of year)|at what time|what time => ¤when
        (?:what is|when is) the best time => ¤when good
        how much (?:does|do|is|are|will|would)(?= .*\bcost\b)|how much (?:is|are)|what does (?=.*\bcost\b)|what is the (?:price|cost|fee)|(?:the )?(?:price|cost) of => ¤cost
        for what reason|what is the reason|what are the reasons|what causes|what caused|how come => ¤why
        how long|what is the (?:length|duration) => ¤long
        how often|how frequently => ¤often
        how far|what is the distance|(?:the )?distance between => ¤far
        how much => ¤count
        how many|what number|what is the number => ¤count
        what is the (?:best |right |correct |proper |easiest )?(?:way|process|procedure) (?:to|of|for)|what are (?:the )?(?:steps|ways) (?:to|for)|what (?:do i|should i|must i) (?:need to )?do (?:to|for)|how do i|how do you|how does one|how can i|how can one|how should i|how would i|how to|the way to => ¤how
        is it (?:possible|ok|okay|safe|allowed|legal|fine) (?:for me )?to|am i allowed to|is (.+) allowed to|may i|can i|can we|can one => ¤can \1
        who is the (?:author|writer) of => ¤who write
        recipe for => ¤how make
        what is the difference between|how does (?=.*\bdiffer) => ¤which differ
        get rid of => remove
        (?:turn|switch|toggle) on => enable
        (?:turn|switch) off => disable
        log in|sign in|log into|sign into => login
        log out|sign out|log off => logout
        set up => setup
        i have|do i have|do you have|do they have =>
        do(?= *[?.!]*$)|(?<=should )(?:i |we )?do|(?<=to )do|(?<=can )(?:i |we )?do => perform
        world war (?:ii|two|2) => secondworldwar
        world war (?:i|one|1) => firstworldwar
        """
    ),
    questions=table(
        """
        which: which what
        who: who
        whom: whom
        when: when
        where: where
        why: why
        how: how
        whose: whose
        """
    ),
    stop=words(
        """
        a an the and but is are be been being am do does done have has having would shall
        it its one this that these those there here
        so if then as some any just also too get got let it's
        """
    ),
    light=words(
        """
        can could should must need require may might please really very much best good well right properly correctly
        want like actually possible available usually
        """
    ),
    generic=words(
        "way process thing time kind type sort step place number reason health idea question help"
    ),
    negations=words("not no never without none nothing nobody nor except cannot"),
    particles=table(
        """
        past: was were did had
        future: will
        me: i me my mine we us our ours
        you: you your yours
        he: he him his
        she: she her hers
        they: they them their theirs
        or: or
        only: only
        """
    ),
    prepositions=table(
        """
        from: from
        to: to into onto
        before: before until
        after: after since
        in: in at on inside within
        with: with
        of: of
        for: for
        against: against versus vs
        about: about
        under: under below
        over: over above
        than: than
        between: between
        by: by via through
        during: during
        """
    ),
    same=groups(
        """
        start begin commence
        buy purchase
        remove delete erase
        quit exit leave
        fridge refrigerator
        find locate
        reduce lower decrease
        increase raise boost
        fix repair mend
        make cook prepare
        symptom sign
        obtain receive
        difference differ
        cell mobile
        movie film
        car automobile
        fast quick
        large big
        need require
        enroll enrollment enrolment enrol
        shut close
        answer reply
        picture photo image
        doctor physician
        child kid
        choose pick select
        show display
        """
    ),
    akin=groups(
        """
        substitute instead replace replacement alternative
        get obtain receive acquire
        stop prevent keep remove cure treat
        unclog clear clean clogged fix
        return refund
        cost fee price charge pay
        find see
        turn convert change go become
        slow speed fast quick
        harmful bad unhealthy
        good safe
        hurt pain ache
        ship shipping deliver delivery
        international internationally abroad
        decline reject refuse
        bake cook roast
        boil cook
        last keep
        need require necessary needed
        have contain include
        luggage baggage allowance
        check find verify know
        infinite end never
        fall collapse decline
        descale limescale
        improve raise increase boost
        use accept apply
        holiday vacation
        university college
        error mistake
        report tell
        store keep
        reset recover restore change
        cancel stop end
        setup configure install
        sharpen sharp
        sour spoil
        bone skeleton
        adult body human
        freeze freezer frozen
        invent inventor create creator develop introduce
        merge combine join unite
        dry drying
        asleep sleep
        quick quickly fast
        spend go
        sew attach stitch
        paper document form
        need require get
        mortgage loan
        forward forwarding redirect
        automatic automatically
        patch repair fix mend puncture punctured
        bicycle bike cycle
        tire tyre wheel
        eat consume food eating
        shrink reduce smaller compress small resize
        photo picture image photograph
        teach teaching learn train
        fog condensation steam mist
        write compose draft
        send transfer wire
        abroad country overseas
        learn study
        first begin beginner start
        kill remove exterminate
        live life lifespan
        weigh weight heavy
        hire employ recruit
        wash clean washing laundry
        choose select choice pick
        build construct building make
        break broken
        calculate compute count calculation
        schedule timetable
        salary wage pay income
        job position work
        house home flat apartment
        phone smartphone mobile
        screen display
        doctor physician
        illness disease
        medicine drug medication
        trip travel journey
        protect protection secure guard
        steal theft burglary
        change alter modify
        move transfer
        download get
        company firm business
        rule law regulation
        show display
        baby infant newborn
        dog puppy
        cat kitten
        avoid prevent
        happen occur
        cheap affordable
        famous known
        describe explain
        """
    ),
    opposites=pairs(
        """
        enable / disable
        increase raise gain grow / decrease reduce lower lose shrink
        high higher highest / low lower lowest
        advantage benefit pro / disadvantage drawback con
        maximum max maximal / minimum min minimal
        buy purchase / sell
        install / uninstall remove delete
        lock / unlock
        subscribe / unsubscribe
        mute / unmute
        connect / disconnect
        login / logout
        zip compress / unzip extract decompress
        start begin beginning / end finish stop ending
        first / last
        old older oldest / new newest latest young
        hot warm / cold cool
        heat / cool
        left / right
        up upper top / down bottom
        inside indoor / outside outdoor
        fast faster fastest quick / slow slower slowest
        expensive / cheap
        before until / after since
        add / remove subtract
        send / receive
        arrive arrival / depart departure leave
        adult / child kid
        male man men / female woman women
        allow permit / forbid prohibit ban
        cause / effect consequence
        strong / weak
        easy light / hard difficult heavy
        long longest / short shortest
        good best / bad worst
        healthy / unhealthy
        open / close closed shut
        upload / download
        import / export
        marry marriage / divorce
        night / day
        north northern / south southern
        west western / east eastern
        encrypt / decrypt
        accept approve / reject decline deny
        positive / negative
        deposit / withdraw
        borrow / lend
        push / pull
        public / private
        many most / few least
        win / lose
        plug / unplug
        freeze / thaw defrost
        ascending / descending
        ancestor / descendant
        input / output
        single / married
        save / delete
        same / different
        true / false
        merge combine join / split separate divide
        asleep sleep / awake wake
        safe / dangerous unsafe
        """
    ),
    numbers=table(
        """
        0: zero
        1: one_
        2: two both
        3: three
        4: four
        5: five
        6: six
        7: seven
        8: eight
        9: nine
        10: ten
        11: eleven
        12: twelve dozen
        15: fifteen
        20: twenty
        30: thirty
        40: forty
        50: fifty
        100: hundred
        1000: thousand
        0.5: half
        #1: first 1st
        #2: second_ 2nd
        #3: third 3rd
        #4: fourth 4th
        #5: fifth 5th
        #6: sixth
        #7: seventh
        #8: eighth
        #9: ninth
        #10: tenth
        """
    ),
    units=groups(
        """
        second sec
        minute
        hour
        day
        week
        month
        year
        millimeter millimetre mm
        centimeter centimetre cm
        meter metre
        kilometer kilometre km
        mile
        foot ft
        inch
        yard
        gram
        kilogram kg kilo
        ounce oz
        pound lb
        ton tonne
        milliliter ml
        liter litre
        gallon
        ruble
        dollar
        euro
        hryvnia
        yen
        degree
        celsius
        fahrenheit
        kelvin
        percent
        calorie kcal
        acre
        hectare
        byte
        megabyte mb
        gigabyte gb
        cup
        glass
        tablespoon tbsp
        teaspoon tsp
        """
    ),
    dates=groups(
        """
        january
        february
        march
        april
        may_
        june
        july
        august
        september
        october
        november
        december
        monday
        tuesday
        wednesday
        thursday
        friday
        saturday
        sunday
        spring
        summer
        autumn fall_
        winter
        morning
        evening
        """
    ),
    reversals=twos("un/- dis/- de/- in/un en/dis re/- mis/- il/- im/- ir/- non/-"),
    prefixes=longest_first("un dis de re mis en in over under il im ir non"),
    functional=words(
        """
        the a an is are was were do does did how what which who when where why can could should would i my you your to
        of in on for with from and or not if it this that
        about between without explain describe recipe meaning difference
        """
    ),
)
